"""Tools for development on one machine: database, gateway and cluster without installing any of them."""
