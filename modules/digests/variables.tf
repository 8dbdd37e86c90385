# A validation sees its own variable alone (Terraform before 1.9). imagesync has the exact grammar.

variable "references" {
  description = <<-EOT
    Images to look up, like `{ app = "docker.io/library/nginx:1.27" }`. In a list or a set, each reference is its own
    key.
  EOT
  type        = any
  nullable    = false

  validation {
    condition     = can([for key, reference in var.references : regex("^\\S+$", reference)])
    error_message = "references is a map or a list of strings without spaces, like \"docker.io/library/nginx:1.27\"."
  }
}

variable "platforms" {
  description = <<-EOT
    Platforms that every image must have, like `["linux/amd64"]`. Digests are still those of whole images.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.platforms : can(regex("^[^\\s,/]+(/[^\\s,/]+){1,2}$", each))])
    error_message = "Each of platforms is like \"linux/amd64\"; they are ${jsonencode(var.platforms)}."
  }
}

variable "details" {
  description = "Whether to read manifests for the outputs `platforms` and `sizes`. Docker Hub counts each as a pull."
  type        = bool
  default     = false
  nullable    = false
}

variable "allowed_sources" {
  description = "Patterns of allowed references, like `docker.io/library/*`. `**` also matches a `/`."
  type        = list(string)
  default     = ["**"]
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_sources : can(regex("^[^\\s<>]+$", pattern))])
    error_message = "Each of allowed_sources is a pattern without spaces; they are ${jsonencode(var.allowed_sources)}."
  }
}

variable "trust" {
  description = "Who must have signed which images: rules as in modules/images. Each plan verifies all images."
  type = object({
    default      = optional(string, "refuse")
    trusted_root = optional(string)
    refresh      = optional(bool, false)
    rules = list(object({
      sources      = list(string)
      signers      = list(map(string))
      all          = optional(bool, false)
      attestations = optional(list(map(string)), [])
      trusted_root = optional(string)
    }))
  })
  default  = { default = "accept", rules = [] }
  nullable = false

  validation {
    condition     = contains(["refuse", "accept"], var.trust.default)
    error_message = "trust.default is \"refuse\" or \"accept\"; it is ${jsonencode(var.trust.default)}."
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
