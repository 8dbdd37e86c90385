# Reads decide at plan, provisioners act at apply. How and why it is built like this: README.md, "How it works".

# What should be there. A failed reference is an answer too (kind, error): a failed read would block `terraform destroy`.
data "external" "source" {
  count   = length(var.images) == 0 || var.lock_file != "" ? 0 : 1 # nothing to ask, nothing to run
  program = concat(var.command, ["external"])
  query = { images = jsonencode({
    for name, image in var.images : name => {
      reference = image.source
      platforms = local.platforms[name]
      referrers = local.referrers[name]
    }
  }) }
}

# What is there now, and what a copy there would come to. A read of its own: a prefix known only at apply puts off this
# one, and the keys below stay known.
data "external" "destination" {
  count   = length(var.images) == 0 ? 0 : 1
  program = concat(var.command, ["external"])
  query = { images = jsonencode({
    for name, destination in local.destinations : name => {
      reference = destination
      referrers = local.referrers[name]
      verify    = var.verify
      copy      = local.intents[name]
    }
  }) }
}

locals {
  platforms = { for name, image in var.images : name => image.platforms == null ? var.platforms : image.platforms }
  referrers = { for name, image in var.images : name => image.referrers == null ? var.referrers : image.referrers }

  destinations = {
    for name in keys(var.images) : name =>
    var.destination_prefix == "" ? name : "${var.destination_prefix}${startswith(name, ":") ? "" : "/"}${name}"
  }

  # A lock names references whole, an entry may use Docker's shorthands.
  lock = var.lock_file == "" ? {} : jsondecode(file(var.lock_file)).images
  locked_as = {
    for name, image in var.images : name => [
      for spelled in setproduct(["", "docker.io/", "docker.io/library/"], [trimprefix(image.source, "docker://")], ["", ":latest"]) :
      join("", spelled) if can(local.lock[join("", spelled)])
    ]
  }
  from_lock = {
    for name, found in local.locked_as : name => length(found) == 0 ? {
      digest = "", source_digest = "", kind = "invalid"
      error  = "${var.lock_file} does not have it; run imagesync lock with a file that does"
      } : length(local.platforms[name]) == 0 ? {
      digest = local.lock[found[0]].digest, source_digest = local.lock[found[0]].digest, kind = "", error = ""
      } : {
      digest        = try(local.lock[found[0]].selected[join(",", sort(local.platforms[name]))], "")
      source_digest = local.lock[found[0]].digest
      kind          = "invalid"
      error         = "${var.lock_file} has it for other platforms than ${join(", ", sort(local.platforms[name]))}"
    }
  }

  wanted = {
    for name in keys(var.images) : name =>
    jsondecode(var.lock_file == "" ? data.external.source[0].result[name] : jsonencode(local.from_lock[name]))
  }
  present = { for name in keys(var.images) : name => jsondecode(data.external.destination[0].result[name]) }

  # What is asked about each copy: how much it moves, and what decides whether it may be made. Nothing is looked at
  # where the destination has the image and no gate is set. With a lock a plan asks no source for numbers alone.
  is_gated = var.max_size_bytes > 0 || length(var.required_platforms) > 0 || var.require_signature
  intents = {
    for name, image in var.images : name => local.wanted[name].digest == "" ? null : {
      source             = image.source
      digest             = local.wanted[name].digest
      source_digest      = local.wanted[name].source_digest
      platforms          = local.platforms[name]
      estimated          = var.explain == "all" && var.lock_file == ""
      sized              = var.max_size_bytes > 0
      required_platforms = var.required_platforms
      signed             = var.require_signature
    }
  }
  looked_at = { for name in keys(var.images) : name => try(local.present[name].copy, null) }

  # Denied, invalid and unsuitable are mistakes in the configuration: no reason to go on with what the destination has.
  unavailable = [
    for name in keys(var.images) : name
    if var.source_unavailable == "use_destination" && contains(["missing", "unreachable"], local.wanted[name].kind)
  ]
  digests = {
    for name in keys(var.images) : name =>
    contains(local.unavailable, name) ? local.present[name].digest : local.wanted[name].digest
  }

  # What is copied is told by the digest of the whole source, from which the same platforms make the same image again.
  copied = {
    for name, digest in local.digests : name => contains(local.unavailable, name) ? ["--digest", digest] : concat(
      ["--digest", local.wanted[name].source_digest],
      flatten([for platform in local.platforms[name] : ["--platform", platform]]),
    )
  }

  # The digest is in the key, so that a moved source makes a new object and destroys the old one: Terraform skips destroy
  # provisioners when it replaces. The name stands for the destination, for it is known when the prefix is not.
  pinned = { for name, digest in local.digests : "${name}@${digest}" => name }

  # Each source as Docker means it, whole, without its digest, and without its tag as well; and the patterns for them.
  spelled = {
    for name in keys(var.images) : name => [
      for ending in ["", "@.*", "(:[^:/@]*)?(@.*)?"] :
      replace(var.lock_file == "" ? local.wanted[name].reference : try(local.locked_as[name][0], ""), "/${ending}$/", "")
    ]
  }
  allowed = [
    for pattern in var.allowed_sources :
    "^${replace(replace(replace(replace(pattern, "/[^A-Za-z0-9_*]/", "\\$0"), "**", "<any>"), "*", "[^/]*"), "<any>", ".*")}$"
  ]
  is_allowed = {
    for name, spelled in local.spelled : name =>
    anytrue([for pair in setproduct(local.allowed, spelled) : can(regex(pair[0], pair[1]))])
  }

  # What speaks against each image: by its source and the configuration, known whatever the prefix is, and by what the
  # destination and the look into the image tell. A gate that could not be looked at is shut. One sentence for several
  # rules, for each precondition costs a plan of 500 images a fifth of a second.
  refused = {
    for name, image in var.images : name => join("\n\n", [for what in compact([
      local.digests[name] != "" ? "" : "the source ${image.source} is ${local.wanted[name].kind}: ${local.wanted[name].error}",
      local.is_allowed[name] ? "" : "the source ${local.spelled[name][0]} is not one of allowed_sources, which are ${join(", ", var.allowed_sources)}.",
      !var.require_digest || var.lock_file != "" || strcontains(image.source, "@") ? "" :
      "require_digest wants the source ${image.source} with its digest, like ${local.spelled[name][1]}@${local.wanted[name].source_digest}.",
    ]) : "images[${jsonencode(name)}]: ${what}"])
  }
  objections = {
    for name, image in var.images : name => join("\n\n", [for what in compact([
      contains(["", "missing"], local.present[name].kind) ? "" :
      "the destination ${local.destinations[name]} is ${local.present[name].kind}: ${local.present[name].error}",
      try(local.looked_at[name].unsuitable, "") == "" ? "" :
      "required_platforms are ${join(", ", var.required_platforms)}: ${local.looked_at[name].unsuitable}",
      var.max_size_bytes == 0 || try(local.looked_at[name].bytes, 0) <= var.max_size_bytes ? "" :
      "the source ${image.source} has ${local.looked_at[name].bytes} bytes, more than max_size_bytes, ${var.max_size_bytes}.",
      try(local.looked_at[name].unsigned, "") == "" ? "" : "require_signature: ${local.looked_at[name].unsigned}",
      !local.is_gated || local.intents[name] == null || try(local.looked_at[name].error, "no answer") == "" ? "" :
      "whether max_size_bytes, required_platforms and require_signature allow the source ${image.source} is not known: ${try(local.looked_at[name].error, "no answer")}",
    ]) : "images[${jsonencode(name)}]: ${what}"])
  }

  # What a deep look has found below the tag. Without its source an image cannot be mended, and stays as it is.
  damage = { for name in keys(var.images) : name => try(local.present[name].damage, "") }

  # Signatures and the like that the source has by now and the destination has not.
  missing = {
    for name in keys(var.images) : name =>
    setsubtract(try(local.wanted[name].attached, []), try(local.present[name].attached, []))
  }

  in_sync = {
    for name, digest in local.digests : name =>
    local.present[name].digest == digest && length(local.missing[name]) == 0 &&
    (local.damage[name] == "" || contains(local.unavailable, name))
  }
}

resource "terraform_data" "image" {
  for_each = local.pinned

  # All that destroy can see is `self`, as the last apply left it. A change of policy updates it in place.
  input = {
    destination = local.destinations[each.value]
    digest      = local.digests[each.value]
    delete_command = concat(var.command, [
      "delete", "--digest", local.digests[each.value], "--on-replace", var.on_replace, "--on-destroy", var.on_destroy,
    ], local.referrers[each.value] ? ["--referrers"] : [])
  }

  # timestamp() is unknown at plan, which replaces the object; at apply the text is "in sync" again, so the next plan is empty.
  triggers_replace = [
    local.destinations[each.value],
    local.in_sync[each.value] ? "in sync" : substr("in sync${timestamp()}", 0, 7),
  ]

  # One argument each and no shell: nothing to quote, nothing to inject, and the log shows a command one can run again.
  provisioner "local-exec" {
    interpreter = concat(
      var.command, ["sync"], local.copied[each.value],
      local.referrers[each.value] ? ["--referrers"] : [],
      var.verify == "deep" ? ["--verify"] : [],
      [var.images[each.value].source],
    )
    command = self.input.destination
  }

  # The tag tells imagesync which policy applies: it has moved on (on_replace), or is still at this digest (on_destroy).
  provisioner "local-exec" {
    when        = destroy
    interpreter = self.input.delete_command
    command     = self.input.destination
  }

  depends_on = [var.wait_for]

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = local.refused[each.value] == ""
      error_message = local.refused[each.value]
    }
    precondition {
      condition     = local.objections[each.value] == ""
      error_message = local.objections[each.value]
    }
  }
}

locals {
  # What makes an instance below come after all copies. As depends_on it would cost Terraform the square of their number.
  copies = length(terraform_data.image)
}

# Comes after every copy and changes with every key. Without such a dependant Terraform destroys an old image before, or
# while, it copies the new one; and as a failed copy leaves it undone, the old image then stays.
# It also remembers when its image was first planned, which is how `changes` tells new from tampered with.
resource "terraform_data" "settled" {
  for_each = local.pinned
  input    = local.copies < 0 ? "" : plantimestamp()

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}

locals {
  # Why each image changes. A conditional instead of ||, which would be unknown where a prefix is: what is new changes,
  # wherever it goes.
  change = {
    for key, name in local.pinned : name =>
    terraform_data.settled[key].input == plantimestamp() ? (
      local.present[name].digest == "" ? "new" :
      local.present[name].digest == local.digests[name] ? "adopted" : "moved"
      ) : (
      local.present[name].digest == "" ? "missing" :
      local.present[name].digest != local.digests[name] ? "overwritten" :
      local.damage[name] != "" ? "damaged" : "incomplete"
    )
    if terraform_data.settled[key].input == plantimestamp() ? true : !local.in_sync[name]
  }

  in_words = {
    for name, change in local.change : name => {
      new         = "is new, from ${var.images[name].source}"
      adopted     = "is there already, as ${var.images[name].source} is, and is taken over"
      moved       = "moves from ${substr(local.present[name].digest, 0, 19)} to ${substr(local.digests[name], 0, 19)}"
      missing     = "is missing, deleted outside Terraform"
      overwritten = "is overwritten by ${local.present[name].digest} outside Terraform"
      damaged     = "is damaged (${local.damage[name]})"
      incomplete  = "is there, but ${length(local.missing[name])} ${length(local.missing[name]) == 1 ? "referrer is" : "referrers are"} missing"
    }[change]
  }
  how_much = {
    for name in keys(local.change) : name =>
    try(local.looked_at[name].error, "") == "" ? try(local.looked_at[name].summary, "") :
    "how much to copy is not known: ${local.looked_at[name].error}"
  }

  changes = {
    for name, change in local.change : name => {
      change         = change
      destination    = local.destinations[name]
      from           = local.present[name].digest
      to             = local.digests[name]
      layers         = try(local.looked_at[name].layers, null)
      layers_to_copy = try(local.looked_at[name].layers_to_copy, null)
      bytes          = try(local.looked_at[name].bytes, null)
      bytes_to_copy  = try(local.looked_at[name].bytes_to_copy, null)
      summary        = join(": ", compact([local.in_words[name], local.how_much[name]]))
    }
  }

  # What somebody has done outside comes first. Lines that begin with a space are not broken by Terraform.
  explained = flatten([
    for change in concat(["overwritten", "missing", "damaged", "incomplete"], var.explain == "drift" ? [] : ["moved", "new", "adopted"]) :
    [for name in keys(local.change) : "  ${name} ${local.in_words[name]}${local.how_much[name] == "" ? "" : ":\n    ${local.how_much[name]}"}" if local.change[name] == change]
  ])
  how_many = format("%d of %d %s%s:",
    length(local.explained), length(var.images), length(var.images) == 1 ? "image changes" : "images change",
    var.destination_prefix == "" ? "" : " in ${var.destination_prefix}",
  )
  bytes_to_copy = sum(concat([0], [for each in values(local.changes) : each.bytes_to_copy == null ? 0 : each.bytes_to_copy]))
  size_to_copy = (
    local.bytes_to_copy < 1000000 ? format("%.1f kB", local.bytes_to_copy / 1000) :
    local.bytes_to_copy < 1000000000 ? format("%.1f MB", local.bytes_to_copy / 1000000) :
    format("%.1f GB", local.bytes_to_copy / 1000000000)
  )
}

# What changes, why, and how much moves, as a warning of the plan. A resource's address alone would not tell.
check "changes" {
  assert {
    condition = length(local.explained) == 0
    error_message = join("\n", concat(
      [local.how_many, ""],
      slice(local.explained, 0, min(50, length(local.explained))),
      length(local.explained) > 50 ? ["  and ${length(local.explained) - 50} more."] : [],
      length(local.explained) > 1 && local.bytes_to_copy > 0 ? ["", "${local.size_to_copy} to copy in all."] : [],
    ))
  }
}

check "source_available" {
  assert {
    condition = length(local.unavailable) == 0
    error_message = join("\n\n", [
      for name in local.unavailable :
      "${var.images[name].source} is ${local.wanted[name].kind}, so ${local.destinations[name]} stays as it is${local.damage[name] == "" ? "" : ", damaged (${local.damage[name]})"}: ${local.wanted[name].error}"
    ])
  }
}
