from glob import glob

from setuptools import find_packages, setup

setup(
    name="rfs_bringup",
    version="0.1.0",
    description="What runs, as data; launch files; the rfs command",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_bringup"]),
        ("share/rfs_bringup", ["package.xml"]),
        ("share/rfs_bringup/launch", glob("launch/*.launch.py")),
        ("share/rfs_bringup/config", glob("config/*.yaml")),
    ],
    entry_points={"console_scripts": []},
    zip_safe=False,
)
