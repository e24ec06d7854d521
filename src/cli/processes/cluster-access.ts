// From flags to a cluster: the key (flag, environment, file, or the data directory that keeps it),
// the bootstrap addresses, and the address of this host to listen on.
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { SwarmdiskError } from '../../base/errors.js'
import type { Address } from '../../layout/configuration.js'
import { ClusterKey } from '../../net/cluster-key.js'
import { parseAddress, parseAddresses, type ClusterFlags } from '../flags.js'

export interface ClusterAccess {
  readonly key: ClusterKey
  /** Null: the public DHT. */
  readonly bootstrap: readonly Address[] | null
  readonly host: string
  readonly peers: readonly Address[]
}

export const KEY_FILE = 'cluster-key'

/** `data`: a data directory whose key serves if no flag gives one. */
export function clusterAccess(flags: ClusterFlags, data?: string): ClusterAccess {
  const key = givenKey(flags) ?? (data === undefined ? null : keptKey(data))
  if (!key) {
    throw new SwarmdiskError(
      'bad-input',
      'The cluster key is missing: give --key, --key-file or SWARMDISK_KEY ' +
        '("swarmdisk cluster create" makes one).',
    )
  }
  const bootstrap =
    flags.bootstrap === undefined || flags.bootstrap === ''
      ? null
      : parseAddresses(flags.bootstrap, '--bootstrap')
  return {
    key,
    bootstrap,
    host: flags.host ?? defaultHost(bootstrap),
    peers: (flags.peer ?? []).map(peer => parseAddress(peer, '--peer')),
  }
}

function givenKey(flags: ClusterFlags): ClusterKey | null {
  const file = flags['key-file']
  if (file !== undefined) return ClusterKey.parse(readKeyFile(file))
  return flags.key === undefined || flags.key === '' ? null : ClusterKey.parse(flags.key)
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new SwarmdiskError('bad-input', `The key file ${file} cannot be read.`, { cause: error })
  }
}

function keptKey(data: string): ClusterKey | null {
  try {
    return ClusterKey.parse(readFileSync(join(data, KEY_FILE), 'utf8'))
  } catch (error) {
    // A directory that keeps no key is a new one: the flags must bring it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** With a bootstrap on loopback everything stays there; else the first address others can reach. */
function defaultHost(bootstrap: readonly Address[] | null): string {
  if (bootstrap?.every(address => isLoopback(address.host))) return '127.0.0.1'
  for (const addresses of Object.values(networkInterfaces())) {
    const outer = addresses?.find(address => address.family === 'IPv4' && !address.internal)
    if (outer) return outer.address
  }
  return '127.0.0.1'
}
