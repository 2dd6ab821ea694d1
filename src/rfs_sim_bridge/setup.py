from setuptools import find_packages, setup

setup(
    name="rfs_sim_bridge",
    version="0.1.0",
    description="The batched grasp task and its engines; the simulator bridge node",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_sim_bridge"]),
        ("share/rfs_sim_bridge", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["bridge_node = rfs_sim_bridge.nodes.bridge_node:main"]},
    zip_safe=False,
)
