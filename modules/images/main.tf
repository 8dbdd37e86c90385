# What is done: one process copies, each image has an object, and what comes after them gives the order.
# How and why it is built like this: docs/how-it-works.md.

locals {
  # The digest is in the key, so that a moved source makes a new object and destroys the old one: Terraform skips
  # destroy provisioners when it replaces. The name stands for the destination: it is known when the prefix is not.
  pinned = tomap({ for name, digest in local.digests : "${name}@${digest}" => name })

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
}

# No command at creation, so that nothing taints it: Terraform skips the destroy-time command of what is tainted.
resource "terraform_data" "image" {
  for_each = local.pinned

  # All that destroy can see is `self`, as the last apply left it. A change of policy updates it in place.
  input            = local.removed_by[each.key]
  triggers_replace = plantimestamp() # when it was first planned, see below

  # The tag tells imagesync which policy applies: it has moved on (on_replace), or is still at this digest (on_destroy).
  # Earlier modules left an object with destination and delete, or with a list, delete_command. `terraform import`
  # leaves nothing, so until an apply nobody knows its image: a shell says so.
  provisioner "local-exec" {
    when = destroy
    interpreter = try(self.input.delete_command, [
      for word in split(" ", try(self.input.delete, split(" removed by: ", self.input)[1])) :
      # Whose removal this is tells the object's own key: `terraform state mv` may have taken it from its entry.
      can(regex("^[0-9a-f]{32}/", word)) ? "${substr(word, 0, 33)}${split("@", each.key)[0]}" :
      replace(replace(replace(word, "%0A", "\n"), "%20", " "), "%25", "%")
    ], null)
    command     = try(self.input.destination, split(" ", self.input)[0], "echo kept: imported, and never applied since")
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
