"""What a step of a playbook can do, one file each: the set is closed."""
