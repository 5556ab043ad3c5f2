"""Files in PostgreSQL large objects that obey the transaction of the row that names them."""
