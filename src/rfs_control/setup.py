from setuptools import find_packages, setup

setup(
    name="rfs_control",
    version="0.1.0",
    description="Inverse kinematics, action composition and limits; the executor node",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_control"]),
        ("share/rfs_control", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["executor_node = rfs_control.nodes.executor_node:main"]},
    zip_safe=False,
)
