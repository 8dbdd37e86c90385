# What goes where. A validation sees its own variable alone (Terraform before 1.9), so it looks at the form of a value.
# imagesync has the exact grammar: what passes here and is still wrong fails the plan, with the entry's name.

variable "images" {
  description = <<-EOT
    Images to mirror. The key is the destination, or what follows `destination_prefix`: `app:1.0`, or `:1.0` for a tag
    of the prefix itself. `source` is the image to copy. `platforms` and `referrers` override the variables of that
    name. With `tags`, key and source are repositories (`:` is the prefix itself), and each tag that these rules pick is
    an image with the key `KEY:TAG`. `include` and `exclude` are globs or `/regular expressions/`, `semver` is a range
    of versions, and `latest` is the number of newest versions to pick, of each variant with `each_variant`. An empty
    map removes all images.
  EOT
  type = map(object({
    source    = string
    platforms = optional(list(string))
    referrers = optional(bool)
    tags = optional(object({
      include      = optional(list(string))
      exclude      = optional(list(string))
      semver       = optional(string)
      latest       = optional(number)
      each_variant = optional(bool)
    }))
  }))
  nullable = false

  validation {
    condition = alltrue([
      for key, image in var.images : image.tags != null && key == ":" || can(regex("^[^\\s@]*[^\\s@/:]$", key))
    ])
    error_message = join("", [
      "Each key of images names a destination, like \"registry.example.com/app:1.0\", or \":1.0\" after a ",
      "destination_prefix. It has no digest: the digest follows from the source. Wrong: ",
      join(", ", [for key in keys(var.images) : jsonencode(key) if !can(regex("^[^\\s@]*[^\\s@/:]$", key))]), ".",
    ])
  }

  validation {
    condition = alltrue([
      for k, one in var.images : one.tags == null || can(regex("^:$|^(docker://|oci:|\\w+-archive:)?(.*/)?[^/:]+$", k))
    ])
    error_message = join("", [
      "The key of an entry with tags names a repository, so it has no tag of its own. Wrong: ",
      join(", ", [
        for key, image in var.images : jsonencode(key)
        if image.tags != null && !can(regex("^:$|^(docker://|oci:|\\w+-archive:)?(.*/)?[^/:]*$", key))
      ]), ".",
    ])
  }

  validation {
    # "app" (without tags), "app:latest" and "docker://app" are one destination: none but one by their longest form.
    condition = length(var.images) == length(toset([
      for key, image in var.images :
      replace(trimprefix(key, "docker://"), "/(^|/)([^:/]+)$/", image.tags == null ? "$1$2:latest" : "$1$2")
    ]))
    error_message = "Two keys of images name one destination. The same: ${join("; ", [for group in values({
      for key, image in var.images :
      replace(trimprefix(key, "docker://"), "/(^|/)([^:/]+)$/", image.tags == null ? "$1$2:latest" : "$1$2") =>
      jsonencode(key)...
    }) : join(" and ", group) if length(group) > 1])}."
  }

  validation {
    condition = alltrue([for image in values(var.images) : can(regex("^\\S+$", image.source))])
    error_message = join("", [
      "Each source is a reference without spaces, like \"docker.io/library/busybox:1.36\". Wrong at: ",
      join(", ", [for key, image in var.images : jsonencode(key) if !can(regex("^\\S+$", image.source))]), ".",
    ])
  }
}

variable "destination_prefix" {
  description = "Beginning of every destination, like `registry.example.com/mirror`. May be known only at apply."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^[^\\s@]*[^\\s@/:]$", var.destination_prefix))
    error_message = "destination_prefix is like \"localhost:5000/mirror\"; it is ${jsonencode(var.destination_prefix)}."
  }
}

variable "platforms" {
  description = "Platforms to copy, like `[\"linux/amd64\"]`, for images that set none. An empty list copies all."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.platforms : can(regex("^[^\\s,/]+(/[^\\s,/]+){1,2}$", each))])
    error_message = "Each of platforms is like \"linux/amd64\"; they are ${jsonencode(var.platforms)}."
  }
}

variable "referrers" {
  description = "Whether to copy signatures, SBOMs and attestations, and to remove them with their image."
  type        = bool
  default     = false
  nullable    = false
}

variable "wait_for" {
  description = "Any value that must exist before the first copy. A `depends_on` of the module fails the plan."
  type        = any
  default     = null
}

variable "command" {
  description = "Program that runs imagesync, like `[\"python3\", \"imagesync.pyz\"]`. No shell runs."
  type        = list(string)
  default     = ["imagesync"]
  nullable    = false

  validation {
    condition     = length(var.command) > 0 && alltrue([for each in var.command : try(length(each) > 0, false)])
    error_message = "command is a program and its arguments, none of them empty; it is ${jsonencode(var.command)}."
  }
}
