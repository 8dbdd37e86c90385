# What is done: one process copies, each image has an object, and what comes after them gives the order.
# How and why it is built like this: docs/how-it-works.md.

locals {
  # The digest is in the key, so that a moved source makes a new object and destroys the old one: Terraform skips
  # destroy provisioners when it replaces. The name stands for the destination: it is known when the prefix is not.
  pinned = { for name, digest in local.digests : "${name}@${digest}" => name }

  # What is copied is told by the digest of the whole source, from which the same platforms make the same image again.
  copied = {
    for name, digest in local.digests : name => contains(local.staying, name) ? ["--digest", digest] : concat(
      ["--digest", local.wanted[name].source_digest],
      flatten([for platform in local.platforms[name] : ["--platform", platform]]),
      local.referrers[name] ? ["--referrers"] : [],
    )
  }

  # How each image is removed. It is one text, whose words have no space in them: of a list or an object, a plan prints
  # each element on a line, twice here. Made here, since each expression in an object costs Terraform more.
  program = join(" ", [for word in var.command : replace(replace(replace(word, "%", "%25"), " ", "%20"), "\n", "%0A")])
  removed_by = {
    for key, name in local.pinned : key => join(" ", concat(
      [local.destinations[name], "removed by:", local.program, "delete", "--claimant", "${local.call}/${name}"],
      ["--digest", local.digests[name]],
      ["--on-replace", var.on_replace == "retag" ? "keep" : var.on_replace, "--on-destroy", var.on_destroy],
      local.kept_long, local.referrers[name] ? ["--referrers"] : [],
    ))
  }

  # What each copy is told: its key, how the plan has found it, what its tag points at in the end, and sync's arguments.
  orders = [
    for name in values(local.pinned) : join(" ", concat(
      [name, contains(local.staying, name) ? "held" : local.in_sync[name] ? "present" : "lacking", local.digests[name]],
      local.copied[name], local.replacing[name], [local.shown_source[name], local.shown_destination[name]],
    )) if local.digests[name] != "" && local.refused[name] == "" && local.objections[name] == ""
  ]

  # What became of each copy is in a folder that nothing else has: the object's id is unknown at plan where it will run,
  # which puts off fileexists() to the apply, and a failure of an earlier run is none of this one.
  run_folder = try(data.external.destination.result["@run_folder"], ".terraform/imagesync")
  failures   = "${local.run_folder}/failures/${md5("${local.call} ${terraform.workspace}")}"
  failed     = "${local.failures}/${try(terraform_data.copies[0].id, "")}-${local.run}"
}

# One process copies all that an apply changes: connections, logins and layers are shared, and limits hold over all.
# It ends well and leaves a file for each image that failed. So nothing is tainted, and each image fails alone.
resource "terraform_data" "copies" {
  count = length(var.images) == 0 ? 0 : 1

  # Runs for every change of keys and destinations, for an image that is only taken over may have gone meanwhile.
  # timestamp() is unknown at plan, which replaces the object; at apply the text is the same, so the next plan is empty.
  triggers_replace = [
    md5(jsonencode({ for key, name in local.pinned : key => local.shown_destination[name] })),
    alltrue(values(local.in_sync)) ? "in sync" : substr("in sync${timestamp()}", 0, 7),
  ]

  # No shell: nothing to quote, nothing to inject. Images go by the environment: a command line has too little room.
  provisioner "local-exec" {
    interpreter = concat(
      var.command, ["apply", "--call", local.call, "--run", local.run, "--workspace", terraform.workspace],
      var.verify == "deep" ? ["--verify"] : [],
    )
    command = "${local.failures}/${self.id}-${local.run}"
    environment = {
      for number, orders in chunklist(local.orders, 50) : "IMAGESYNC_APPLY_${number}" => join("\n", orders)
    }
  }

  depends_on = [var.wait_for]

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(local.and_destinations) == 0
      error_message = join("\n\n", [for name in keys(local.and_destinations) : local.objections[name]])
    }
  }
}

# No command at creation, so that nothing taints it: Terraform skips the destroy-time command of what is tainted.
resource "terraform_data" "image" {
  for_each = local.pinned

  # All that destroy can see is `self`, as the last apply left it. A change of policy updates it in place.
  input            = local.removed_by[each.key]
  triggers_replace = plantimestamp() # when it was first planned, see below

  # The tag tells imagesync which policy applies: it has moved on (on_replace), or is still at this digest (on_destroy).
  # Earlier modules left an object with destination and delete, or with a list, delete_command.
  provisioner "local-exec" {
    when = destroy
    interpreter = try(self.input.delete_command, [
      for word in split(" ", try(self.input.delete, split(" removed by: ", self.input)[1])) :
      replace(replace(replace(word, "%0A", "\n"), "%20", " "), "%25", "%")
    ])
    command     = try(self.input.destination, split(" ", self.input)[0])
    environment = { IMAGESYNC_RUN = "${formatdate("YYYYMMDDhhmmss", plantimestamp())} ${terraform.workspace}" }
  }

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [triggers_replace] # it stays as it was

    precondition {
      condition     = local.refused[each.value] == ""
      error_message = local.refused[each.value]
    }
    precondition {
      condition = local.objections[each.value] != "" ? false : !fileexists("${local.failed}/${md5(each.value)}")
      error_message = local.objections[each.value] != "" ? local.objections[each.value] : join("", [
        "images[${jsonencode(each.value)}]: ", try(file("${local.failed}/${md5(each.value)}"), ""),
      ])
    }
  }
}
