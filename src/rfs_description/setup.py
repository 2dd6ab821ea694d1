from setuptools import find_packages, setup

setup(
    name="rfs_description",
    version="0.1.0",
    description="FR3 arm with LEAP right hand: MJCF and URDF, joint order, limits, frames, kinematics",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"": ["*.yaml", "data/*", "config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_description"]),
        ("share/rfs_description", ["package.xml"]),
    ],
    entry_points={"console_scripts": []},
    zip_safe=False,
)
