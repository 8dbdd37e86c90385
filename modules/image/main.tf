# One image is a map of one: all that happens is in ../images.
module "images" {
  source = "../images"

  images                 = { (var.destination_image) = { source = var.source_image } }
  platforms              = var.platforms
  destination_prefix     = var.destination_prefix
  referrers              = var.referrers
  on_replace             = var.on_replace
  keep_as                = var.keep_as
  keep_last              = var.keep_last
  overwrite              = var.overwrite
  on_destroy             = var.on_destroy
  source_unavailable     = var.source_unavailable
  lock_file              = var.lock_file
  verify                 = var.verify
  allowed_sources        = var.allowed_sources
  require_digest         = var.require_digest
  required_platforms     = var.required_platforms
  max_size_bytes         = var.max_size_bytes
  require_signature      = var.require_signature
  trust                  = var.trust
  verify_trust           = var.verify_trust
  minimum_age            = var.minimum_age
  minimum_age_new        = var.minimum_age_new
  minimum_age_by_created = var.minimum_age_by_created
  ignore_age_for         = var.ignore_age_for
  explain                = var.explain
  wait_for               = var.wait_for
  command                = var.command
}
