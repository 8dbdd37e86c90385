"""What the processes of one Terraform run tell each other, by files in its data folder."""
