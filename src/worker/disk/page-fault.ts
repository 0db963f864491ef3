import { FileSystemError } from '../../ufs/file-system.ts';

export type PageFault = 'checksum' | 'io' | 'missing' | 'no-space' | 'short';

/** A page that cannot be read or written, and why. */
export class PageFaultError extends Error {
  override name = 'PageFaultError';
  readonly reason: PageFault;
  /** False where another try may go well: the page itself need not be at fault. */
  readonly lasting: boolean;
  constructor(reason: PageFault, message: string, options: { cause?: unknown; lasting?: boolean } = {}) {
    super(message, options);
    this.reason = reason;
    this.lasting = options.lasting ?? true;
  }
}

/** Runs `work` and turns the file system's faults into reasons. */
export async function withPageFaults<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toPageFault(error);
  }
}

/** The file system's fault as a `PageFaultError`; anything else as it is. */
export function toPageFault(error: unknown): unknown {
  if (!(error instanceof FileSystemError)) return error;
  const { code, message } = error;
  if (code === 'ENOENT') return new PageFaultError('missing', message, { cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new PageFaultError('no-space', message, { cause: error });
  const lasting = !['EMFILE', 'ENFILE', 'ENOMEM'].includes(code);
  return new PageFaultError('io', message, { cause: error, lasting });
}
