"""External parties: companies outside every site, with books of their own, that are slow or fail when told to."""
