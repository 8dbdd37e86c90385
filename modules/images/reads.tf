# What is read: imagesync is asked at plan, twice at most, and writes to no registry.

locals {
  platforms = { for name, image in local.entries : name => image.platforms }
  referrers = { for name, image in local.entries : name => image.referrers }

  destinations = {
    for name in keys(local.entries) : name =>
    var.destination_prefix == "" ? name : "${var.destination_prefix}${startswith(name, ":") ? "" : "/"}${name}"
  }

  call = try(nonsensitive(terraform_data.call.input), terraform_data.call.input) # it tells no secret
  run  = formatdate("YYYYMMDDhhmmss", plantimestamp())
}

# What tells this call of the module from all others, for as long as it lives. It is known at its first plan already,
# where the id of an object is not. It is made up by the first read: no time and no setting tells apart two calls that
# were planned first together.
resource "terraform_data" "call" {
  input = lookup(data.external.source.result, "@call", md5(plantimestamp()))

  lifecycle { ignore_changes = [input] }
}

# What should be there. A failed reference is an answer too (kind, error): a failed read would block a destroy.
# With a lock it is the lock that answers, and no source is asked.
data "external" "source" {
  program = concat(var.command, ["external"])
  query = {
    new_call  = "true"
    lock_file = var.lock_file
    rules     = jsonencode({ allowed_sources = var.allowed_sources, require_digest = var.require_digest })
    images    = jsonencode(local.asked)
  }
}

# What is there now, and what a copy there would come to. A read of its own: a prefix known only at apply puts off this
# one, and the keys of the objects stay known. Whose images these are is told as well: from now on no removal of this
# run takes one of them. Without images, that this call relies on none any more.
data "external" "destination" {
  program = concat(var.command, ["external"])
  query = {
    call = local.call
    run  = local.run
    images = jsonencode({
      for name, destination in local.destinations : name => {
        reference = destination
        referrers = local.referrers[name]
        verify    = var.verify
        copy      = local.intents[name]
      } if !contains(local.unpicked, name)
    })
  }
}

locals {
  wanted = { for name, each in local.entries : name => jsondecode(data.external.source.result[each.answer]) }
  present = {
    for name in keys(local.entries) : name => jsondecode(
      contains(local.unpicked, name) ? "{\"digest\": \"\"}" : data.external.destination.result[name]
    )
  }

  # What is asked about each copy: how much it moves, and what decides whether it may be made. Nothing is looked at
  # where the destination has the image and no gate is set. With a lock a plan asks no source for numbers alone.
  # Where the source is away and the destination's image is gone on with, that one is judged.
  intents = {
    for name, image in local.entries : name =>
    local.wanted[name].digest == "" && !contains(local.unavailable, name) ? null : {
      source             = image.source
      digest             = local.wanted[name].digest
      source_digest      = local.wanted[name].source_digest
      platforms          = local.platforms[name]
      estimated          = var.explain == "all" && var.lock_file == ""
      max_size_bytes     = var.max_size_bytes
      required_platforms = var.required_platforms
      signed             = var.require_signature
      minimum_age = var.minimum_age == "" ? null : {
        least      = var.minimum_age
        new        = var.minimum_age_new
        by_created = var.minimum_age_by_created
        ignored    = var.ignore_age_for
        seen       = try(local.wanted[name].first_seen, "")
      }
    }
  }

  # Denied, invalid and unsuitable are mistakes in the configuration: no reason to go on with what the destination has.
  unavailable = [
    for name in keys(local.entries) : name if contains(local.unpicked, name) ? false : (
      var.source_unavailable == "use_destination" && contains(["missing", "unreachable"], local.wanted[name].kind)
    )
  ]
  digests = {
    for name in keys(local.entries) : name =>
    contains(local.staying, name) ? local.own[name] : local.wanted[name].digest
  }

  # What a deep look has found below the tag. Without its source an image cannot be repaired, and stays as it is.
  damage = { for name in keys(local.entries) : name => try(local.present[name].damage, "") }

  # Signatures and the like that the source has by now and the destination has not.
  missing = {
    for name in keys(local.entries) : name =>
    setsubtract(try(local.wanted[name].attached, []), try(local.present[name].attached, []))
  }

  in_sync = {
    for name, digest in local.digests : name =>
    local.present[name].digest == digest && (length(local.missing[name]) == 0 || contains(keys(local.young), name)) &&
    (local.damage[name] == "" || contains(local.staying, name))
  }
}
