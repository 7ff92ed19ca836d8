"""The version rows of a MariaDB database, whose protocol is that of MySQL."""

from __future__ import annotations

from topchef_schema.backends import direct_mysql_pymysql

DIRECT = direct_mysql_pymysql.read
