"""Points and networks to and from the field's other programs."""
