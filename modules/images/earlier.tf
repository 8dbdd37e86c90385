# What states of earlier modules have.

# One for each image, where there is terraform_data.done now. It goes with its image.
resource "terraform_data" "settled" {
  for_each = toset([for key, time in local.first_planned : key if !startswith(time, "\"")])

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}
