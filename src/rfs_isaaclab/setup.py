from setuptools import find_packages, setup

setup(
    name="rfs_isaaclab",
    version="0.1.0",
    description="The grasp task in Isaac Lab: robot as USD, scene, environment, engine, bridge node",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_isaaclab"]),
        ("share/rfs_isaaclab", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": ["bridge_node = rfs_isaaclab.nodes.bridge_node:main"],
        "isaaclab.tasks": ["rfs = rfs_isaaclab.tasks"],
    },
    zip_safe=False,
)
