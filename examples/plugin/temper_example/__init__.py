"""An attack, a detector and two stages for Temper."""
