"""The access that members gave to their accounts elsewhere, and how it is given."""
