// Codecs of the values that many messages share: ids, numbers with a meaning, names, addresses.
import {
  blockIndex,
  byteCount,
  byteOffset,
  clusterId,
  epoch,
  EPOCH_LIMIT,
  generation,
  incarnation,
  peerId,
  requestNumber,
  sequence,
  shardIndex,
  volumeId,
} from '../../base/brands.js'
import { ADDRESSES_MAX, NAME_LENGTH_MAX, SHARDS_MAX } from '../../base/limits.js'
import type { Address } from '../../layout/configuration.js'
import { checked, hex, integer, list, plain, record, text, type Codec } from './codec.js'

const SAFE = Number.MAX_SAFE_INTEGER

export const epochField = integer(epoch, EPOCH_LIMIT)
export const generationField = integer(generation, 2 ** 32)
export const incarnationField = integer(incarnation, 2 ** 48)
export const sequenceField = integer(sequence, SAFE)
export const requestField = integer(requestNumber, SAFE)
export const volumeField = integer(volumeId, 2 ** 32)
export const shardField = integer(shardIndex, SHARDS_MAX)
export const blockField = integer(blockIndex, 2 ** 50)
export const offsetField = integer(byteOffset, SAFE)
export const bytesField = integer(byteCount, SAFE)
/** Layer ids, page numbers, counts of blocks: whatever counts something on one disk. */
export const countField = plain(2 ** 32)

export const peerField = hex(peerId, 32)
export const clusterField = hex(clusterId, 16)

/** Printable, not empty; the stricter rule of the commands is checked where names are made. */
export const nameField: Codec<string> = checked(text(NAME_LENGTH_MAX), name =>
  /^[^\u0000-\u001f\u007f/]+$/.test(name) ? null : 'a name with characters that no name has',
)

const addressField: Codec<Address> = record<Address>({ host: text(255), port: plain(65_536) })
export const addressesField = list(addressField, ADDRESSES_MAX, 2)
