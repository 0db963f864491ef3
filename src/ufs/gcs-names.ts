import type { GcsPlace } from './gcs-place.ts';

/** Paths of the JSON API ("Cloud Storage JSON API overview", "Encoding URI path parts"). */
export function bucketPath({ bucket }: GcsPlace): string {
  return `/storage/v1/b/${encode(bucket)}`;
}

export function objectsPath(place: GcsPlace): string {
  return `${bucketPath(place)}/o`;
}

/** `key`: of the mount, or of something hidden. */
export function objectPath(place: GcsPlace, key: string): string {
  return `${objectsPath(place)}/${encode(place.nameOf(key))}`;
}

export function uploadPath({ bucket }: GcsPlace): string {
  return `/upload/storage/v1/b/${encode(bucket)}/o`;
}

export function rewritePath(place: GcsPlace, sourceKey: string, key: string): string {
  return `${objectPath(place, sourceKey)}/rewriteTo/b/${encode(place.bucket)}/o/${encode(place.nameOf(key))}`;
}

/** One part of a path. A name of dots alone would be resolved as a folder by URL parsers; no such part occurs, since none is an object's. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
