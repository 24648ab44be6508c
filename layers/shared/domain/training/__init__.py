"""The second product: online courses of Le Dojo Financier, called trainings, and the access that is sold to them."""
