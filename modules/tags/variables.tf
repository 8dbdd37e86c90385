# A validation sees its own variable alone (Terraform before 1.9). imagesync has the exact grammar.

variable "repositories" {
  description = <<-EOT
    Repositories, by names of your choice. Each has a `source`, like `docker.io/library/nginx`, and rules for `tags`:
    `include` and `exclude` are globs or `/regular expressions/`, `semver` is a range of versions, and `latest` is the
    number of newest versions to pick, of each variant with `each_variant`.
  EOT
  type = map(object({
    source = string
    tags = object({
      include      = optional(list(string))
      exclude      = optional(list(string))
      semver       = optional(string)
      latest       = optional(number)
      each_variant = optional(bool)
    })
  }))
  nullable = false

  validation {
    condition = alltrue([for each in values(var.repositories) : can(regex("^\\S+$", each.source)) && each.tags != null])
    error_message = join("", [
      "Each repository has a source without spaces, like \"docker.io/library/nginx\", and tags, like { latest = 3 }.",
    ])
  }

  validation {
    condition = alltrue([for name in keys(var.repositories) : can(regex("^[\\w.-]+(/[\\w.-]+)*$", name))])
    error_message = join("", [
      "Each name is made of letters, digits, \".\", \"_\", \"-\" and \"/\", like \"nginx\". Wrong: ",
      join(", ", [for k in keys(var.repositories) : jsonencode(k) if !can(regex("^[\\w.-]+(/[\\w.-]+)*$", k))]), ".",
    ])
  }
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
