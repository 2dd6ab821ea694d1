from setuptools import find_packages, setup

setup(
    name="rfs_teleop",
    version="0.1.0",
    description="Episode recording as MCAP bags and the nodes that run episodes",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_teleop"]),
        ("share/rfs_teleop", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "correction_node = rfs_teleop.nodes.correction_node:main",
            "recorder_node = rfs_teleop.nodes.recorder_node:main",
            "session_node = rfs_teleop.nodes.session_node:main",
            "episode_runner_node = rfs_teleop.nodes.episode_runner_node:main",
        ]
    },
    zip_safe=False,
)
