// Flags that several commands take, with the environment variables that can stand for them.
import { Flags } from '@oclif/core'
import { SwarmdiskError } from '../base/errors.js'
import type { Address } from '../layout/configuration.js'

export const keyFlags = {
  key: Flags.string({
    description: 'cluster key, as printed by "swarmdisk cluster create"',
    env: 'SWARMDISK_KEY',
    helpValue: 'KEY',
    noCacheDefault: true,
  }),
  'key-file': Flags.string({
    description:
      'file that holds the cluster key (keeps it out of the process list); wins over --key',
    helpValue: 'FILE',
  }),
}

export const networkFlags = {
  bootstrap: Flags.string({
    description:
      'HOST:PORT of private bootstrap nodes, separated by commas; default: the public DHT',
    env: 'SWARMDISK_BOOTSTRAP',
    helpValue: 'HOST:PORT',
  }),
  host: Flags.string({
    description: 'own address to listen on; 127.0.0.1 where the bootstrap address is on loopback',
    helpValue: 'ADDR',
  }),
  peer: Flags.string({
    description: 'HOST:PORT of a known peer to dial directly (may be given again)',
    helpValue: 'HOST:PORT',
    multiple: true,
  }),
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const logLevel = Flags.option({
  options: LOG_LEVELS,
  env: 'SWARMDISK_LOG',
  description: 'what goes to the log on stderr',
})

/** A command that ends says all there is to say in its result or its one sentence. */
export const logFlags = { 'log-level': logLevel({ default: 'error' as const }) }

/** A process that runs for long says what operators may have to look at. */
export const roleLogFlags = { 'log-level': logLevel({ default: 'warn' as const }) }

export const dataFlag = Flags.string({
  description: 'data directory of a process on this host',
  env: 'SWARMDISK_DATA',
  helpValue: 'DIR',
})

export const requiredDataFlag = Flags.string({
  description: 'data directory; made if it does not exist, owned by one process',
  env: 'SWARMDISK_DATA',
  helpValue: 'DIR',
  required: true,
})

/** Of changes that are voted on. */
export const forceFlag = Flags.boolean({
  description: 'go on in spite of refusals about degree or room; data is never given up for it',
})

export const portFlag = Flags.string({
  description: 'TCP port for direct links; 0 takes any free one',
  default: '0',
  helpValue: 'N',
})

export const clusterFlags = { ...keyFlags, ...networkFlags, ...logFlags }

export type ClusterFlags = {
  readonly key?: string | undefined
  readonly 'key-file'?: string | undefined
  readonly bootstrap?: string | undefined
  readonly host?: string | undefined
  readonly peer?: readonly string[] | undefined
  readonly 'log-level': LogLevel
}

export type LogLevel = (typeof LOG_LEVELS)[number]

export function parsePort(text: string, flag: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65535) {
    throw new SwarmdiskError('bad-input', `${flag} must be a port from 0 to 65535, not "${text}".`)
  }
  return port
}

/** HOST:PORT, an IPv6 host in brackets. */
export function parseAddress(text: string, flag: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65535) {
    throw new SwarmdiskError('bad-input', `${flag} must be HOST:PORT, not "${text}".`)
  }
  return { host, port }
}

export function parseAddresses(text: string, flag: string): readonly Address[] {
  return text.split(',').map(part => parseAddress(part, flag))
}

export function wholeNumber(text: string, flag: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new SwarmdiskError('bad-input', `${flag} must be a whole number, not "${text}".`)
  }
  return Number(text)
}
