# The queries about each image. Terraform writes queries and answers into its state again after each object that it
# makes. So a query has defaults for all images (all), and answers leave out what is empty (brief).

locals {
  platforms = {
    for name, image in local.entries : name => image.platforms == null ? var.platforms : image.platforms
  }
  referrers = {
    for name, image in local.entries : name => image.referrers == null ? var.referrers : image.referrers
  }

  # What is asked about each copy: how much it moves, and what decides whether it may be made. Nothing is looked at
  # where the destination has the image and no gate is set. With a lock a plan asks no source for numbers alone.
  judged = {
    estimated          = var.explain == "all" && var.lock_file == ""
    max_size_bytes     = var.max_size_bytes
    required_platforms = var.required_platforms
    signed             = var.require_signature
    minimum_age = var.minimum_age == "" ? null : {
      least      = var.minimum_age
      new        = var.minimum_age_new
      by_created = var.minimum_age_by_created
      ignored    = var.ignore_age_for
    }
  }
  # If the source is not reachable and the image at the destination stays, that one is judged.
  intents = {
    for name, image in local.entries : name =>
    local.wanted[name].digest == "" && !contains(local.unavailable, name) ? null : {
      for what, value in {
        source        = image.source
        digest        = local.wanted[name].digest
        source_digest = try(local.answers[name].source_digest, null)
        platforms     = length(local.platforms[name]) == 0 ? null : local.platforms[name]
        minimum_age   = var.minimum_age == "" ? null : { seen = try(local.answers[name].first_seen, "") }
      } : what => value if value != null
    }
  }
}
