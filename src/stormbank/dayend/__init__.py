"""Day-end: the business date moves on, and every customer gets the interest of the day that ended, once."""
