from setuptools import find_packages, setup

setup(
    name="rfs_learning",
    version="0.1.0",
    description="Demonstrations, datasets, flow-matching training, evaluation and reports",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_learning"]),
        ("share/rfs_learning", ["package.xml"]),
    ],
    entry_points={"console_scripts": []},
    zip_safe=False,
)
