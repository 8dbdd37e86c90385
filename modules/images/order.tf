# What gives the order: copies, then consumers, then removals.

# Comes after every image and changes with every key. Without such a dependant Terraform destroys an old image before,
# or while, the new one is copied; and as a failed copy leaves it undone, the old image then stays.
resource "terraform_data" "done" {
  input = md5(join(" ", keys(local.found_times)))

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(local.come_back) == 0
      error_message = join("\n\n", local.come_back)
    }
  }
}

# What earlier modules had in its place, one for each image. It goes with its image.
resource "terraform_data" "settled" {
  for_each = tomap({ for key, time in local.first_planned : key => key if !startswith(time, "\"") })

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}
