//! Error texts as a front sends them: GB18030 bytes.

/// Request accepted.
pub(crate) const OK: i32 = 0;
/// The session has not logged in.
pub(crate) const NOT_LOGGED_IN: i32 = 6;
/// There is no such instrument.
pub(crate) const NO_SUCH_INSTRUMENT: i32 = 16;
/// Not now, ask again later.
pub(crate) const RETRY_LATER: i32 = 90;

/// The text that goes with an ErrorID; unknown ids have one that says it is made up.
pub(crate) const fn text_of(error_id: i32) -> &'static [u8] {
    match error_id {
        // CTP:正确
        OK => b"CTP:\xd5\xfd\xc8\xb7",
        // CTP:不合法的登录
        3 => b"CTP:\xb2\xbb\xba\xcf\xb7\xa8\xb5\xc4\xb5\xc7\xc2\xbc",
        // CTP:还没有登录
        NOT_LOGGED_IN => b"CTP:\xbb\xb9\xc3\xbb\xd3\xd0\xb5\xc7\xc2\xbc",
        // CTP:还没有初始化
        7 => b"CTP:\xbb\xb9\xc3\xbb\xd3\xd0\xb3\xf5\xca\xbc\xbb\xaf",
        // CTP:前置不活跃
        8 => b"CTP:\xc7\xb0\xd6\xc3\xb2\xbb\xbb\xee\xd4\xbe",
        // CTP:找不到合约
        NO_SUCH_INSTRUMENT => b"CTP:\xd5\xd2\xb2\xbb\xb5\xbd\xba\xcf\xd4\xbc",
        // CTP:客户端认证失败
        63 => b"CTP:\xbf\xcd\xbb\xa7\xb6\xcb\xc8\xcf\xd6\xa4\xca\xa7\xb0\xdc",
        // CTP:用户不在已认证状态
        64 => b"CTP:\xd3\xc3\xbb\xa7\xb2\xbb\xd4\xda\xd2\xd1\xc8\xcf\xd6\xa4\xd7\xb4\xcc\xac",
        // CTP:连续登录失败次数超限，登录被禁止
        75 => {
            b"CTP:\xc1\xac\xd0\xf8\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc\xb4\xce\xca\xfd\xb3\xac\xcf\xde\
              \xa3\xac\xb5\xc7\xc2\xbc\xb1\xbb\xbd\xfb\xd6\xb9"
        }
        // CTP:查询未就绪，请稍后重试
        RETRY_LATER => {
            b"CTP:\xb2\xe9\xd1\xaf\xce\xb4\xbe\xcd\xd0\xf7\xa3\xac\xc7\xeb\xc9\xd4\xba\xf3\xd6\xd8\
              \xca\xd4"
        }
        // CTP:首次登录必须修改密码，请修改密码后重新登录
        140 => {
            b"CTP:\xca\xd7\xb4\xce\xb5\xc7\xc2\xbc\xb1\xd8\xd0\xeb\xd0\xde\xb8\xc4\xc3\xdc\xc2\xeb\
              \xa3\xac\xc7\xeb\xd0\xde\xb8\xc4\xc3\xdc\xc2\xeb\xba\xf3\xd6\xd8\xd0\xc2\xb5\xc7\xc2\
              \xbc"
        }
        // CTP:模拟的错误
        _ => b"CTP:\xc4\xa3\xc4\xe2\xb5\xc4\xb4\xed\xce\xf3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_gb18030() {
        let cases = [
            (OK, "CTP:正确"),
            (3, "CTP:不合法的登录"),
            (NOT_LOGGED_IN, "CTP:还没有登录"),
            (7, "CTP:还没有初始化"),
            (8, "CTP:前置不活跃"),
            (NO_SUCH_INSTRUMENT, "CTP:找不到合约"),
            (63, "CTP:客户端认证失败"),
            (64, "CTP:用户不在已认证状态"),
            (75, "CTP:连续登录失败次数超限，登录被禁止"),
            (RETRY_LATER, "CTP:查询未就绪，请稍后重试"),
            (140, "CTP:首次登录必须修改密码，请修改密码后重新登录"),
            (4711, "CTP:模拟的错误"),
        ];
        for (error_id, text) in cases {
            let (bytes, _, unmappable) = encoding_rs::GB18030.encode(text);
            assert!(!unmappable);
            assert_eq!(text_of(error_id), &*bytes, "{error_id}");
        }
    }
}
