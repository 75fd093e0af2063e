# The quick half of the hook program: what the host starts for each tool call, where there is a Perl. A bare interpreter
# of it starts in a third of the time of Python's, and that is most of what a call costs. No module is loaded, not even
# `strict`: that alone would be a tenth of it. Tests compile this file with `strict` and with all warnings fatal.
#
#     perl -T program.pl PHASE HOST FOLDER SECONDS PYTHON program.py
#
# Does what program.py does where a daemon answers, with the same statuses and checks, and leaves all else to it: where
# nobody listens, it becomes `PYTHON -I -S -B program.py PHASE HOST FOLDER SECONDS` before one byte of the input is read.
# `-T` ignores what the environment says about options and modules (PERL5OPT, PERL5LIB).

our ($PASS, $WARN, $REFUSE)  = (90, 91, 92);
our ($MAX_INPUT, $MAX_ANSWER) = (8 * 1024 * 1024, 1024 * 1024);
our ($AF_UNIX, $SOCK_STREAM, $SOL_SOCKET, $SO_PEERCRED) = (1, 1, 1, 17);    # settings.client compares them
our ($phase, $host, $folder, $seconds, $python, $program) = map { /\A([^\0]+)\z/s ? $1 : '' } @ARGV;

# Refuse, in the one form that every host understands: a status and words. Codex and Gemini take none of them alone.
sub refuse {
    syswrite STDERR, "sealgate: no decision ($_[0]), so the tool does not run\n";
    exit($phase eq 'after' ? $WARN : $REFUSE);
}

# Refuse before the input was read. It is read first: a host that cannot write all of it may take the hook for broken.
sub fail {
    1 while sysread STDIN, my $part, 1 << 16;
    refuse($_[0]);
}

# Become the program in Python.
sub leave_to_python {
    delete @ENV{qw(IFS CDPATH ENV BASH_ENV)};
    ($ENV{PATH}) = ($ENV{PATH} // '') =~ /\A(.*)\z/s;
    exec {$python} $python, '-I', '-S', '-B', $program, $phase, $host, $folder, $seconds
        or fail('the interpreter is gone');
}

# Read to the end.
sub read_all {
    my ($handle, $most, $what) = @_;
    my ($data, $got) = ('');
    while ($got = sysread $handle, $data, 1 << 16, length $data) {
        fail("the $what is too large") if length $data > $most;
    }
    fail("the $what cannot be read") if !defined $got;
    return $data;
}

# Write all of it.
sub write_all {
    my ($handle, $data) = @_;
    my $done = 0;
    while ($done < length $data) {
        $done += syswrite($handle, $data, length($data) - $done, $done) || refuse('it cannot be written');
    }
}

@ARGV == 6 && $seconds =~ /\A[1-9][0-9]{0,3}\z/ or fail('started with other arguments');
stat STDIN and stat STDOUT and stat STDERR or refuse('a stream is closed');    # else the socket would take its number
$SIG{ALRM} = sub { refuse('time is over') };
$SIG{PIPE} = 'IGNORE';
alarm $seconds;

my @status = stat $folder or fail('the folder is gone');
fail("the hook's folder is writable by others") if $status[2] & 022;
socket my $daemon, $AF_UNIX, $SOCK_STREAM, 0 or fail('no socket');
connect $daemon, pack 'S a*', $AF_UNIX, "$folder/hook.sock" or leave_to_python();
my $peer = getsockopt $daemon, $SOL_SOCKET, $SO_PEERCRED or fail('a stranger');
fail("a stranger holds the daemon's socket") if length $peer != 12 || (unpack 'iII', $peer)[1] != $status[4];

my $question = read_all(*STDIN, $MAX_INPUT, 'input');
open my $random, '<', '/dev/urandom' or refuse('no randomness');
sysread($random, my $bytes, 8) == 8 or refuse('no randomness');
my $nonce = unpack 'H*', $bytes;
write_all($daemon, "SG1 $nonce $phase $host " . length($question) . "\n$question");

my $answer = read_all($daemon, $MAX_ANSWER, 'answer');
my ($named, $said, $output, $error) = $answer =~ /\ASG1 ([0-9a-f]{16}) ([0-2]) ([0-9]{1,7}) ([0-9]{1,7})\n/
    or refuse('the answer is unreadable');
my ($start, $end) = ($+[0], "\nend $nonce");
refuse('the answer is unreadable') if $named ne $nonce || $said == 1 && $phase ne 'after' || $said == 2 && !$error;
refuse('the answer is not whole')
    if length $answer != $start + $output + $error + length $end || substr($answer, -length $end) ne $end;

write_all(*STDERR, substr $answer, $start + $output, $error);
write_all(*STDOUT, substr $answer, $start, $output);
exit($PASS + $said);
