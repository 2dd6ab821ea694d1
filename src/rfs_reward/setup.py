from setuptools import find_packages, setup

setup(
    name="rfs_reward",
    version="0.1.0",
    description="Reward from vision: object tracking, centroid, reward and success; the reward node",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/**/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_reward"]),
        ("share/rfs_reward", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["reward_node = rfs_reward.nodes.reward_node:main"]},
    zip_safe=False,
)
