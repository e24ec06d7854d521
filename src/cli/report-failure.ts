// How every failure of a command ends: one sentence on stderr that says what to do, an exit code
// from the documented list, and under --json an object on stdout that says the same.
import { isSwarmdiskError } from '../base/errors.js'
import { EXIT_BUG, EXIT_CODES } from './exit-codes.js'

export interface Failure {
  readonly code: string
  readonly exit: number
  readonly sentence: string
}

/** What oclif throws for flags and arguments it cannot accept. */
interface UsageError {
  readonly oclif: { readonly exit?: number }
  readonly message: string
}

function isUsageError(error: unknown): error is UsageError {
  return error instanceof Error && 'oclif' in error && typeof error.oclif === 'object'
}

export function describeFailure(error: unknown): Failure {
  if (isSwarmdiskError(error)) {
    return { code: error.code, exit: EXIT_CODES[error.code], sentence: error.message }
  }
  if (isUsageError(error)) {
    return { code: 'bad-input', exit: EXIT_CODES['bad-input'], sentence: usageSentence(error) }
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return {
    code: 'bug',
    exit: EXIT_BUG,
    sentence: `This is a bug in swarmdisk, please report it with these lines: ${text}`,
  }
}

/** oclif's own words, on one line, without its pointer to the help, which ours replaces. */
function usageSentence(error: UsageError): string {
  const words = error.message
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('See more help'))
    .join('; ')
    .replaceAll(/:; (\S+) {2,}/g, ': $1, ')
    .replaceAll(/ {2,}/g, ', ')
    .replace(/^The following errors? occurred:;? ?/, '')
    .replace(/\.$/, '')
    .replace(/^command (\S+) not found/, (_, id: string) => {
      return `There is no command "${id.replaceAll(':', ' ')}"`
    })
  return `${words}. Add --help to see what this command takes.`
}

export function reportFailure(error: unknown): never {
  const exitRequest = error as { readonly code?: string; readonly oclif?: { exit?: number } }
  // --help and --version leave by an ExitError: nothing failed.
  if (exitRequest.code === 'EEXIT') process.exit(exitRequest.oclif?.exit ?? 0)
  const found = describeFailure(error)
  const failure = { ...found, sentence: withoutKeys(found.sentence) }
  process.stderr.write(`${failure.sentence}\n`)
  if (wantsJson(process.argv)) {
    const { code, sentence: message } = failure
    process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
  }
  process.exit(failure.exit)
}

/** Whoever mistypes a command may give the key where it is repeated as an unexpected word. */
export function withoutKeys(sentence: string): string {
  return sentence.replaceAll(/[ybndrfg8ejkmcpqxot1uwisza345h769]{52}/g, '(a key)')
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).includes('--json')
}
