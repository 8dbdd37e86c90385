# Which images there are, each by its destination: all else in this module goes by these.

locals {
  asked = {
    for key, image in var.images : key => {
      reference = image.source
      platforms = image.platforms == null ? var.platforms : image.platforms
      referrers = image.referrers == null ? var.referrers : image.referrers
    }
  }
  entries = {
    for key, image in local.asked : key => {
      source    = image.reference
      platforms = image.platforms
      referrers = image.referrers
    }
  }
}
