"""Tools for development: database, gateway and cluster on one machine, without installing any of them."""
