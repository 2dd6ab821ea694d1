from setuptools import find_packages, setup

setup(
    name="rfs_policy",
    version="0.1.0",
    description="Point-cloud flow-matching policy: push and reverse, modulation, checkpoints, node",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "data/adapted/*", "data/distilled/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_policy"]),
        ("share/rfs_policy", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["policy_node = rfs_policy.nodes.policy_node:main"]},
    zip_safe=False,
)
