"""One node of the lab: runs the pods bound to its zone, translates service addresses, answers DNS."""
