"""Real servers of the tests."""

from .kafka import Kafka
from .postgres import Postgres
from .server import CannotStart

__all__ = ["CannotStart", "Kafka", "Postgres"]
