"""Collecting a closed month from patrons' cards: trying, the processor's answers, what needs the patron, giving up."""
