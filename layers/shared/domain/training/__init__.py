"""The second product, Le Dojo: trainings, which are sold as access for so many days."""
