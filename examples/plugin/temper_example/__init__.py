"""An attack, a detector and a stage for Temper."""
