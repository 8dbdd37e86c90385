variable "minimum_age" {
  description = "Minimum age before an image is copied, like `72h` or `3d`. Empty accepts any age."
  type        = string
  default     = ""
}

variable "minimum_age_new" {
  description = "What to do with a young image that has no mirror yet: `wait` fails the plan, `take` copies it."
  type        = string
  default     = "wait"
}

variable "minimum_age_by_created" {
  description = "Whether the creation time in the image counts if nothing else shows its age."
  type        = bool
  default     = false
}

variable "ignore_age_for" {
  description = "Digests to accept at any age, such as a security fix."
  type        = list(string)
  default     = []
}
