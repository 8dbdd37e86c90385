# Each fails by itself: with -target the others are left out, and an answer that is refused, such as no tags where none
# could be listed, would remove what is made of it.

output "tags" {
  description = "The picked tags of each repository, by its name. The newest version comes first, other words last."
  value       = { for name, picks in local.picked : name => picks[*].tag }

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}

output "digests" {
  description = "The digest of each picked tag, by the repository's name and the tag."
  value       = { for name, images in local.images : name => { for tag, image in images : tag => image.digest } }

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}

output "references" {
  description = "Each picked tag as `REPOSITORY:TAG@DIGEST`, by the repository's name and the tag: a pinned source."
  value = {
    for name, picks in local.picked : name => {
      for pick in picks : pick.tag => "${pick.source}@${local.images[name][pick.tag].digest}"
    }
  }

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}
