# What is copied: one process does that for all images of an apply. How and why: docs/how-it-works.md.

locals {
  # What is copied is told by the digest of the whole source, from which the same platforms make the same image again.
  copied = {
    for name, digest in local.digests : name => contains(local.staying, name) ? ["--digest", digest] : concat(
      ["--digest", local.wanted[name].source_digest],
      flatten([for platform in local.platforms[name] : ["--platform", platform]]),
      local.referrers[name] ? ["--referrers"] : [],
    )
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
  input = "${local.call} ended by: ${local.program} forget"

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

  # It goes after all images, and only where all of them go: what it replaces goes without this command.
  provisioner "local-exec" {
    when = destroy
    interpreter = try([
      for word in split(" ", split(" ended by: ", self.input)[1]) :
      replace(replace(replace(word, "%0A", "\n"), "%20", " "), "%25", "%")
    ], null)
    command     = try(split(" ", self.input)[0], "echo imported, and never applied since")
    environment = { IMAGESYNC_RUN = "${formatdate("YYYYMMDDhhmmss", plantimestamp())} ${terraform.workspace}" }
  }

  depends_on = [var.wait_for]

  lifecycle {
    create_before_destroy = true

    # No plan goes round these, whichever images it leaves out.
    precondition {
      condition = length(local.and_destinations) == 0 && length(local.refused_in_place) == 0
      error_message = join("\n\n", concat(
        [for name in keys(local.and_destinations) : local.objections[name]],
        [for name in local.refused_in_place : local.refused[name]],
      ))
    }
  }
}
