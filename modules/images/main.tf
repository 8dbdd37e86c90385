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

# What is there now. A read of its own: a prefix known only at apply puts off this one, and the keys below stay known.
data "external" "destination" {
  count   = length(var.images) == 0 ? 0 : 1
  program = concat(var.command, ["external"])
  query = { images = jsonencode({
    for name, destination in local.destinations : name => {
      reference = destination
      referrers = local.referrers[name]
      verify    = var.verify
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
      condition     = local.digests[each.value] != ""
      error_message = "images[${jsonencode(each.value)}]: the source ${var.images[each.value].source} is ${local.wanted[each.value].kind}: ${local.wanted[each.value].error}"
    }
    precondition {
      condition     = contains(["", "missing"], local.present[each.value].kind)
      error_message = "images[${jsonencode(each.value)}]: the destination ${local.destinations[each.value]} is ${local.present[each.value].kind}: ${local.present[each.value].error}"
    }
  }
}

locals {
  # What makes an instance below come after all copies. As depends_on it would cost Terraform the square of their number.
  copies = length(terraform_data.image)
}

# Comes after every copy and changes with every key. Without such a dependant Terraform destroys an old image before, or
# while, it copies the new one; and as a failed copy leaves it undone, the old image then stays.
# It also remembers when its image was first planned, which is how `drift` tells new from tampered with.
resource "terraform_data" "settled" {
  for_each = local.pinned
  input    = local.copies < 0 ? "" : plantimestamp()

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}

locals {
  # A conditional instead of &&, which would be unknown where a prefix is: a new image has not drifted, wherever it goes.
  drift = {
    for key, name in local.pinned : name =>
    local.present[name].digest == "" ? "is missing, deleted outside Terraform" :
    local.present[name].digest != local.digests[name] ? "is overwritten by ${local.present[name].digest} outside Terraform" :
    local.damage[name] != "" ? "is damaged (${local.damage[name]})" :
    "is there, but ${length(local.missing[name])} ${length(local.missing[name]) == 1 ? "referrer is" : "referrers are"} missing"
    if terraform_data.settled[key].input == plantimestamp() ? false : !local.in_sync[name]
  }
}

# A new image and a moved source show as a new key. What else makes a plan is said here, as a warning.
check "drift" {
  assert {
    condition = length(local.drift) == 0
    error_message = join("\n\n", [
      for name, what in local.drift :
      "${local.destinations[name]} ${what}; apply brings back ${local.digests[name]} from ${var.images[name].source}."
    ])
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
