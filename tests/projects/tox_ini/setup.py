from setuptools import find_packages, setup

setup(
    name="rooms",
    version="3.0",
    packages=find_packages(exclude=["tests"]),
    install_requires=["fastapi", "sqlalchemy>=2.0.30", "psycopg[binary]>=3.2"],
    extras_require={"test": ["pytest>=7", "httpx"]},
)
