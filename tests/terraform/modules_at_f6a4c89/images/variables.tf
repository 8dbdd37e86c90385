# A validation can see only its own variable (Terraform before 1.9), so it looks at the form of a reference alone.
# The exact grammar is imagesync's: what passes here and is still wrong fails the plan, with the entry's name.

variable "images" {
  description = "Images to mirror. The key is the destination, or with `destination_prefix` what follows it: `app:1.0`, or `:1.0` for a tag of the prefix itself. `source` is where the image comes from, `platforms` what of it is copied, like the variable `platforms` and before it; an empty list means all. `referrers` is like the variable too. An empty map removes them all."
  type = map(object({
    source    = string
    platforms = optional(list(string))
    referrers = optional(bool)
  }))
  nullable = false

  validation {
    # A digest is let through here, for the next rule has a better word for it.
    condition     = alltrue([for key in keys(var.images) : can(regex("^[^\\s@]*[^\\s@/:](@|$)", key))])
    error_message = "Each key of images names a destination, like \"registry.example.com/app:1.0\", or \":1.0\" after a destination_prefix. Not so: ${join(", ", [for key in keys(var.images) : jsonencode(key) if !can(regex("^[^\\s@]*[^\\s@/:](@|$)", key))])}."
  }

  validation {
    condition     = alltrue([for key in keys(var.images) : !strcontains(key, "@")])
    error_message = "A destination is a tag, like \"registry.example.com/app:1.0\": the digest follows from the source. With a digest: ${join(", ", [for key in keys(var.images) : jsonencode(key) if strcontains(key, "@")])}."
  }

  validation {
    # "app", "app:latest" and "docker://app" are one destination: grouped by their longest form, no group may have two keys.
    condition = alltrue([for group in values({
      for key in keys(var.images) : replace(trimprefix(key, "docker://"), "/(^|/)([^:/]+)$/", "$1$2:latest") => key...
    }) : length(group) == 1])
    error_message = "Two keys of images must not name one destination; without a tag \":latest\" is meant. The same: ${join("; ", [for group in values({
      for key in keys(var.images) : replace(trimprefix(key, "docker://"), "/(^|/)([^:/]+)$/", "$1$2:latest") => jsonencode(key)...
    }) : join(" and ", group) if length(group) > 1])}."
  }

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^\\S+$", image.source))])
    error_message = "Each source is a reference without spaces, like \"docker.io/library/busybox:1.36\" or \"quay.io/org/app@sha256:…\". Not so at: ${join(", ", [for key, image in var.images : jsonencode(key) if !can(regex("^\\S+$", image.source))])}."
  }

  validation {
    condition     = alltrue(flatten([for image in values(var.images) : [for platform in coalesce(image.platforms, []) : can(regex("^[A-Za-z0-9_-]+(\\([A-Za-z0-9_.-]+\\))?(/[A-Za-z0-9_.-]+){1,2}$", platform))]]))
    error_message = "Each of an image's platforms is like \"linux/amd64\", \"linux/arm/v7\" or \"windows(10.0.20348)/amd64\". Not so at: ${join(", ", [for key, image in var.images : jsonencode(key) if !alltrue([for platform in coalesce(image.platforms, []) : can(regex("^[A-Za-z0-9_-]+(\\([A-Za-z0-9_.-]+\\))?(/[A-Za-z0-9_.-]+){1,2}$", platform))])])}."
  }
}

variable "platforms" {
  description = "What of every image that does not say otherwise is copied: one platform as its own image, several as an index of those alone, like `[\"linux/amd64\", \"linux/arm64\"]`. An empty list copies all that the source has."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for platform in var.platforms : can(regex("^[A-Za-z0-9_-]+(\\([A-Za-z0-9_.-]+\\))?(/[A-Za-z0-9_.-]+){1,2}$", platform))])
    error_message = "Each of platforms is like \"linux/amd64\", \"linux/arm/v7\" or \"windows(10.0.20348)/amd64\"; they are ${jsonencode(var.platforms)}."
  }
}

variable "destination_prefix" {
  description = "What every key follows: a registry, a folder in it or a repository, like `registry.example.com/mirror`. May be known only at apply, like the URL of a repository created in the same run."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^[^\\s@]*[^\\s@/:]$", var.destination_prefix))
    error_message = "destination_prefix is a registry or a path in it, like \"registry.example.com/mirror\", without a digest and without \"/\" at its end; it is ${jsonencode(var.destination_prefix)}."
  }
}

variable "referrers" {
  description = "Whether what is attached to the images belongs to them: signatures, SBOMs, attestations. They are copied and removed with the image, and one that arrives later is brought by the next apply."
  type        = bool
  default     = false
  nullable    = false
}

variable "on_replace" {
  description = "What becomes of an image once the source has moved on and all consumers with it: `delete` removes it unless something else uses it, `keep` leaves it."
  type        = string
  default     = "delete"
  nullable    = false

  validation {
    condition     = contains(["delete", "keep"], var.on_replace)
    error_message = "on_replace is \"delete\" or \"keep\"; it is ${jsonencode(var.on_replace)}."
  }
}

variable "on_destroy" {
  description = "What becomes of an image whose entry is removed: `delete` removes it, `keep` leaves it, `refuse` fails the removal (prevent_destroy for images). Apply it before the removal that it is for."
  type        = string
  default     = "delete"
  nullable    = false

  validation {
    condition     = contains(["delete", "keep", "refuse"], var.on_destroy)
    error_message = "on_destroy is \"delete\", \"keep\" or \"refuse\"; it is ${jsonencode(var.on_destroy)}."
  }
}

variable "source_unavailable" {
  description = "What a plan does when a source is missing or cannot be reached: `error` fails, `use_destination` goes on with the image that the destination has."
  type        = string
  default     = "error"
  nullable    = false

  validation {
    condition     = contains(["error", "use_destination"], var.source_unavailable)
    error_message = "source_unavailable is \"error\" or \"use_destination\"; it is ${jsonencode(var.source_unavailable)}."
  }
}

variable "lock_file" {
  description = "A lock as `imagesync lock` writes it, like `images.lock.json`. Then digests are those of the lock and a plan asks no source; every source must be in it, and where platforms are chosen, for the same platforms."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|\\.json$", var.lock_file))
    error_message = "lock_file is a file that imagesync lock has written, like \"images.lock.json\"; it is ${jsonencode(var.lock_file)}."
  }
}

variable "verify" {
  description = "How a plan looks at what the destination has: `tag` compares the tag's digest, one request an image; `deep` looks for every manifest and blob below it as well, some dozens, and what is missing or wrong comes back with the next apply."
  type        = string
  default     = "tag"
  nullable    = false

  validation {
    condition     = contains(["tag", "deep"], var.verify)
    error_message = "verify is \"tag\" or \"deep\"; it is ${jsonencode(var.verify)}."
  }
}

variable "allowed_sources" {
  description = "Where images may come from: patterns of repositories, or of references with tag, like `docker.io/library/*` or `quay.io/org/app:1.*`; `*` is anything without a `/`, `**` anything. Docker Hub's shorthands count as what they mean. A plan with another fails."
  type        = list(string)
  default     = ["**"]
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_sources : can(regex("^[^\\s<>]+$", pattern))])
    error_message = "Each of allowed_sources is a pattern without spaces, like \"docker.io/library/*\" or \"ghcr.io/org/**\"; they are ${jsonencode(var.allowed_sources)}."
  }
}

variable "require_digest" {
  description = "Whether every source must name its digest, like `busybox:1.36@sha256:…`, so that nothing changes but by a change of the configuration. What a lock pins counts."
  type        = bool
  default     = false
  nullable    = false
}

variable "required_platforms" {
  description = "Platforms that every image must have as it arrives, like `[\"linux/amd64\", \"linux/arm64\"]`; a plan with one that lacks them fails. Reads the manifests, at the destination where the image is there."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for platform in var.required_platforms : can(regex("^[A-Za-z0-9_-]+(\\([A-Za-z0-9_.-]+\\))?(/[A-Za-z0-9_.-]+){1,2}$", platform))])
    error_message = "Each of required_platforms is like \"linux/amd64\", \"linux/arm/v7\" or \"windows(10.0.20348)/amd64\"; they are ${jsonencode(var.required_platforms)}."
  }
}

variable "max_size_bytes" {
  description = "How many bytes of layers and configs an image may have as it arrives, all its platforms together; 0 sets no limit. Reads the manifests, as `required_platforms` does."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_size_bytes >= 0 && floor(var.max_size_bytes) == var.max_size_bytes
    error_message = "max_size_bytes is a number of bytes, like 2000000000, or 0 for no limit; it is ${var.max_size_bytes}."
  }
}

variable "require_signature" {
  description = "Whether a plan fails where an image has no signature: at the root, or at each image of its index. None is verified. Asks the source at every plan, unless `referrers` has the signatures copied."
  type        = bool
  default     = false
  nullable    = false
}

variable "explain" {
  description = "What a plan says of images that change, as a warning: `all` is what and why, and how much is copied, for which it reads their manifests (a pull, as Docker Hub counts; never with `lock_file`); `words` is without how much; `drift` is only what was done outside Terraform, for `terraform test`, where each warning fails a run."
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "words", "drift"], var.explain)
    error_message = "explain is \"all\", \"words\" or \"drift\"; it is ${jsonencode(var.explain)}."
  }
}

variable "wait_for" {
  description = "Any value of what must exist before the first copy, like a repository's policy. It orders the copies alone; a `depends_on` of the module would put off the reads too and fail."
  type        = any
  default     = null
}

variable "command" {
  description = "The command that runs imagesync, a list of arguments; no shell is involved. For example `[\"uvx\", \"--from\", \"imagesync-cli\", \"imagesync\"]`."
  type        = list(string)
  default     = ["imagesync"]
  nullable    = false

  validation {
    condition     = length(var.command) > 0 && alltrue([for argument in var.command : try(length(argument) > 0, false)])
    error_message = "command is a program and its arguments, none of them empty, like [\"imagesync\"]; it is ${jsonencode(var.command)}."
  }
}
