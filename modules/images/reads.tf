# What is read: imagesync is asked at plan, twice at most, and writes to no registry.

locals {
  destinations = {
    for name in keys(local.entries) : name =>
    var.destination_prefix == "" ? name : "${var.destination_prefix}${startswith(name, ":") ? "" : "/"}${name}"
  }

  call = try(nonsensitive(terraform_data.call.input), terraform_data.call.input) # it tells no secret
  run  = formatdate("YYYYMMDDhhmmss", plantimestamp())
}

# What tells this call of the module from all others, for as long as it lives. It is known at its first plan already,
# where the id of an object is not. The first read makes it up: two calls that are new in one plan may have the same
# time and settings.
resource "terraform_data" "call" {
  input = lookup(data.external.source.result, "@call", md5(plantimestamp()))

  lifecycle {
    ignore_changes = [input]

    # What is newer here needs a newer command. All else comes after this, so nothing is asked or done with it. A test
    # of Terraform that overrides the read need not tell either of the two.
    precondition {
      condition = tonumber(lookup(
        data.external.source.result, "@protocol", contains(keys(data.external.source.result), "@call") ? "0" : "2"
      )) >= 2
      error_message = "imagesync (${join(" ", var.command)}) is older than these modules. Install the modules' version."
    }
  }
}

# What should be there. A failed reference is an answer too (kind, error): a failed read would block a destroy.
# With a lock it is the lock that answers, and no source is asked.
data "external" "source" {
  program = concat(var.command, ["external"])
  query = {
    new_call  = "true"
    lock_file = var.lock_file
    rules     = jsonencode({ allowed_sources = var.allowed_sources, require_digest = var.require_digest })
    brief     = "true"
    all       = jsonencode({ platforms = var.platforms, referrers = var.referrers })
    images = jsonencode({
      for key, image in local.asked : key => { for what, value in image : what => value if value != null }
    })
  }
}

# What is there now, and what a copy there would come to. A read of its own: a prefix known only at apply puts off this
# one, and the keys of the objects stay known. Whose images these are is told as well: from now on no removal of this
# run takes one of them. An empty map tells that this call relies on no image any more.
data "external" "destination" {
  program = concat(var.command, ["external"])
  query = {
    call      = local.call
    run       = local.run
    workspace = terraform.workspace
    brief     = "true"
    all       = jsonencode({ verify = var.verify, referrers = var.referrers, copy = local.judged })
    images = jsonencode({
      for name, destination in local.destinations : name => merge(
        { reference = destination, copy = local.intents[name] },
        local.referrers[name] == var.referrers ? {} : { referrers = local.referrers[name] },
      ) if !contains(local.unpicked, name)
    })
  }
}

locals {
  answers = { for name, each in local.entries : name => jsondecode(data.external.source.result[each.answer]) }
  wanted = {
    for name, answer in local.answers : name => merge({ source_digest = answer.digest, kind = "", error = "" }, answer)
  }
  present = {
    for name in keys(local.entries) : name => jsondecode(
      contains(local.unpicked, name) ? "{\"digest\": \"\"}" : data.external.destination.result[name]
    )
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
