import type { LogStream } from '../common/log-writer.ts';
import type { FromIoThread } from './io-thread-messages.ts';
import type { ThreadBoard } from './thread-board.ts';

/** Sends whole lines to the thread that writes them; how much of it is still on its way is known from the board. */
export class PortLogStream implements LogStream {
  private readonly board: ThreadBoard;
  private readonly post: (message: FromIoThread) => void;

  constructor(board: ThreadBoard, post: (message: FromIoThread) => void) {
    this.board = board;
    this.post = post;
  }

  get writableLength(): number {
    return this.board.logBytes;
  }

  write(text: string, done: () => void): void {
    if (text !== '') {
      this.board.addLogBytes(text.length);
      this.post({ kind: 'lines', text, count: text.split('\n').length - 1 });
    }
    done();
  }

  /** What is sent does not fail: it is dropped before, where too much is on its way. */
  on(): void {}
}
