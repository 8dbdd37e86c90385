"""What everything else is said in: values that know nothing of the rest."""
